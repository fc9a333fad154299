"""Looks for mistakes in how a model is fed, on labelled photos: other preprocessing, or classes in another order.

Most models that seem bad are good models with wrong preprocessing. Each likely mistake is undone, one at a time and
then on top of the best one, and the probabilities of the true classes are compared photo by photo.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor
from torch.nn.functional import pad

from models.classifier import Classifier
from models.preprocessing import preprocess, to_float
from models.spec import Spec
from training.importing.alternatives import Alternative, alternatives
from training.importing.class_order import Reordering, find_reordering
from training.importing.photos import Photos
from training.importing.trial import Scores, Trial, choose

BATCH = 8
"""Photos of one pass: two cores take half the time per photo that they take in batches of 25 (MobileNetV2)."""
ROUNDS = 3
"""Largest number of mistakes that are undone one after the other."""
FIRST_LOOK = 24
"""After so many photos hopeless alternatives are given up, then after twice as many, and so on."""

Track = Callable[[Iterable[int], int], Iterable[int]]


@dataclass(frozen=True)
class Diagnosis:
    """How the model does as it is (`asked`), and the mistakes that were found: preprocessing, and order of classes.

    Each of the `mistakes` was found after those before it were undone.
    """

    asked: Scores
    mistakes: tuple[Trial | Reordering, ...] = ()

    @property
    def better(self) -> tuple[Trial, ...]:
        """The preprocessing with which the model does better."""
        return tuple(mistake for mistake in self.mistakes if isinstance(mistake, Trial))

    @property
    def reordering(self) -> Reordering | None:
        """The order of the classes with which it does better."""
        return next((mistake for mistake in self.mistakes if isinstance(mistake, Reordering)), None)

    @property
    def is_of_one_class(self) -> bool:
        """Whether all photos are of one class, so that nothing can be found out: anything that favours it is better."""
        return len(self.asked.labels.unique()) == 1

    @property
    def is_unexplained(self) -> bool:
        """Whether the model is no better than chance, and nothing that was tried helps."""
        return self.asked.is_at_chance and not self.mistakes and not self.is_of_one_class

    @property
    def is_healthy(self) -> bool:
        """Whether nothing is wrong, as far as the photos show it."""
        return not self.mistakes and not self.is_unexplained


def diagnose(
    classifier: Classifier,
    photos: Photos,
    *,
    track: Track = lambda items, total: items,
    asked_first: Callable[[Scores], None] = lambda scores: None,
) -> Diagnosis:
    """Try the likely mistakes on labelled photos.

    `track` shows the progress of a round through the photos, and `asked_first` gets the answers of the model as it is
    before anything else is tried, which takes longer.
    """
    questions = Questions(classifier, photos, track)
    asked = questions.ask(classifier.spec)
    asked_first(asked)
    if Diagnosis(asked).is_of_one_class:
        return Diagnosis(asked)
    state, tried = _undo(questions, _State(classifier.spec, asked))
    states = [state]
    if asked.is_at_chance and not state.mistakes:
        # Other preprocessing may help only together with another order of the classes.
        states += [state.with_other_preprocessing(trial) for trial in tried]
    reordered = _with_other_order(states)
    if reordered is not None:
        state, _ = _undo(questions, reordered)
    return Diagnosis(asked, state.mistakes)


@dataclass(frozen=True)
class _State:
    """Preprocessing, the answers with it, and the mistakes that were undone so far."""

    spec: Spec
    scores: Scores
    mistakes: tuple[Trial | Reordering, ...] = ()

    def with_other_preprocessing(self, trial: Trial) -> "_State":
        return _State(trial.alternative.spec, trial.scores, (*self.mistakes, trial))

    def with_other_order(self, order: Reordering) -> "_State":
        """From now on each label is the output that belongs to the class."""
        scores = replace(self.scores, labels=order.outputs_of(self.scores.labels))
        return _State(self.spec, scores, (*self.mistakes, order))


def _undo(questions: "Questions", state: _State) -> tuple[_State, list[Trial]]:
    """The state when no other preprocessing does better, and what was tried last."""
    trials: list[Trial] = []
    for _ in range(ROUNDS):
        trials = questions.try_all(alternatives(state.spec), state.scores)
        best = choose(trials)
        if best is None:
            break
        state = state.with_other_preprocessing(best)
    return state, trials


def _with_other_order(states: Sequence[_State]) -> _State | None:
    """The state with another order of its classes; None if no other order helps in any of them.

    The first state whose accuracy is half of the best one's at least: it needs the fewest changes.
    """
    orders = [find_reordering(state.scores.logits, state.scores.labels, state.spec.classes) for state in states]
    pairs = [(state, order) for state, order in zip(states, orders, strict=True) if order is not None]
    best = max((order.accuracy for _, order in pairs), default=0.0)
    return next((state.with_other_order(order) for state, order in pairs if order.accuracy >= best / 2), None)


@dataclass
class _Run:
    """An alternative that is being tried, and what the network has answered so far."""

    alternative: Alternative
    classifier: Classifier
    logits: list[Tensor] = field(default_factory=list)

    def trial(self, before: Scores) -> Trial:
        """How it does, compared on the photos so far with what was before."""
        logits = torch.cat(self.logits)
        first = before.first(len(logits))
        return Trial(self.alternative, replace(first, logits=logits), first)


class Questions:
    """Asks a network about all photos, with any preprocessing."""

    def __init__(self, classifier: Classifier, photos: Photos, track: Track) -> None:
        self.network, self.device = classifier.fold().network[1], classifier.device
        self.photos, self.track = photos, track
        # A random order: any first photos are of all classes.
        self.order = torch.randperm(len(photos), generator=torch.Generator().manual_seed(0)).tolist()
        height, width = classifier.spec.size
        self.batch = max(1, min(BATCH, BATCH * 256 * 256 // (height * width)))

    def ask(self, spec: Spec) -> Scores:
        """The answers with this preprocessing."""
        run, labels = self._run(Alternative("", {}, spec)), []
        for batch in self._batches():
            _answer([run], batch)
            labels += [label for _, label in batch]
        return Scores(torch.cat(run.logits), torch.tensor(labels), spec.multi_label)

    def try_all(self, choices: Sequence[Alternative], before: Scores) -> list[Trial]:
        """The alternatives, compared with what was `before`, but for those that turn out to be hopeless."""
        runs, done, look = [self._run(choice) for choice in choices], 0, FIRST_LOOK
        for batch in self._batches():
            _answer(runs, batch)
            done += len(batch)
            if done >= look and not before.is_at_chance:
                look, first = 2 * done, before.first(done)
                runs = [run for run in runs if not run.trial(first).is_hopeless]
        return [run.trial(before) for run in runs]

    def _run(self, choice: Alternative) -> _Run:
        return _Run(choice, Classifier(self.network, choice.spec, device=self.device))

    def _batches(self) -> Iterator[Photos]:
        begins = range(0, len(self.order), self.batch)
        for begin in self.track(begins, len(begins)):
            yield [self.photos[index] for index in self.order[begin : begin + self.batch]]


def _answer(runs: Sequence[_Run], photos: Photos) -> None:
    """Add the answers about these photos. Those that follow each other with the same resize and crop share it."""
    done, pixels = None, torch.empty(0)
    for run in runs:
        spec = run.classifier.spec
        if done is None or _geometry(spec) != _geometry(done):
            done, pixels = spec, torch.cat([preprocess(to_float(photo)[None], spec) for photo, _ in photos])
        with torch.no_grad():
            logits = run.classifier.logits(pixels).float().cpu()
            run.logits.append(logits if logits.shape[1] > 1 else pad(logits, (0, 1)))


def _geometry(spec: Spec) -> Spec:
    """The spec without colours and normalisation, which are the first layer of the classifier."""
    return replace(spec, colours="L", mean=(0.0,), std=(1.0,))
