import torch
from torchvision.transforms import v2

from training.data.loading.augment import Augment, transforms
from training.recipe import Recipe


def picture() -> torch.Tensor:
    random = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (3, 40, 50), dtype=torch.uint8, generator=random)


def test_a_crop_depends_only_on_seed_epoch_and_photo() -> None:
    augment = Augment(Recipe())
    first = augment(picture(), (24, 3, 7))
    torch.manual_seed(5)
    assert first.shape == (3, 24, 24) and first.dtype == torch.uint8
    assert torch.equal(Augment(Recipe())(picture(), (24, 3, 7)), first)
    for other in ((24, 4, 7), (24, 3, 8)):
        assert not torch.equal(augment(picture(), other), first)
    assert not torch.equal(Augment(Recipe(seed=1))(picture(), (24, 3, 7)), first)


def test_a_crop_of_the_whole_picture_is_the_picture() -> None:
    """The picture is a square of the size of the crop, and is not flipped."""
    square = picture()[:, :, :40]
    recipe = Recipe(crop_scale=(1.0, 1.0), flip=0.0)
    assert all(torch.equal(Augment(recipe)(square, (40, 0, index)), square) for index in range(10))


def test_a_flip_probability_of_1_always_flips() -> None:
    same = [Augment(Recipe(flip=flip))(picture(), (24, 0, 0)) for flip in (0.0, 1.0)]
    assert torch.equal(same[0].flip(2), same[1])


def test_trivial_augment_is_the_last_of_the_transforms() -> None:
    kinds = [type(transform) for transform in transforms(Recipe(augmentation="trivial"), 24).transforms]
    assert kinds == [v2.RandomResizedCrop, v2.RandomHorizontalFlip, v2.TrivialAugmentWide]
    assert len(transforms(Recipe(), 24).transforms) == 2
