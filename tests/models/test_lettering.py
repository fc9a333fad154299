"""Which characters a plot can show."""

import warnings

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from models.lettering import printable


def test_what_the_font_has_stays() -> None:
    for text in ("", "Siamese_cat $1$", "Кошка", "Žluťoučký", "γάτα", "قطة"):
        assert printable(text) == text


def test_what_it_lacks_is_marked_and_drawn_without_a_warning() -> None:
    told = printable("犬 (dog)\n🐕")
    assert told == "� (dog)��"
    figure = Figure()
    figure.suptitle(told)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        FigureCanvasAgg(figure).draw()
