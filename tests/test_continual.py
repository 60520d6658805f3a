import numpy as np
import pytest
import torch

from lcmat.condensation import SyntheticSet
from lcmat.data import load
from lcmat.experiments import replay_metrics as continual

# Worked by hand: three stages; the first is at its best after the second network.
MATRIX = torch.tensor([[80.0, torch.nan, torch.nan], [90.0, 70.0, torch.nan], [60.0, 75.0, 100.0]], dtype=torch.float64)


def memory(classes, ipc=2, **changes):
    values = {"mean": (0.5,), "std": (0.25,), "factor": 1} | changes
    labels = torch.arange(len(classes)).repeat_interleave(ipc)
    images = torch.arange(len(labels), dtype=torch.float32).reshape(-1, 1, 1, 1).expand(-1, 1, 4, 4) + ord(classes[0])
    return SyntheticSet(images, labels, tuple(classes), **values)


def test_stages_are_a_partition_drawn_from_the_generator():
    first, again, other = (continual.class_stages(12, 4, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
    assert sorted(torch.cat(first).tolist()) == list(range(12))
    assert [len(classes) for classes in first] == [3] * 4
    assert torch.cat(first).equal(torch.cat(again)) and not torch.cat(first).equal(torch.cat(other))


@pytest.mark.parametrize("num_stages", [0, 3, 11])
def test_stages_of_unequal_size_are_refused(num_stages):
    with pytest.raises(ValueError, match="give a divisor"):
        continual.class_stages(10, num_stages, torch.Generator())


def test_a_stage_has_the_images_of_its_classes_under_new_labels():
    train = load("digits").train
    stage = continual.of_classes(train, torch.tensor([7, 2]))
    pixels, labels = train.images.numpy(), train.labels.numpy()
    for new, old in enumerate((7, 2)):
        np.testing.assert_array_equal(stage.images[stage.labels == new].numpy(), pixels[labels == old])
    assert stage.class_names == tuple(train.class_names[label] for label in (7, 2))
    assert stage.num_classes == 2 and len(stage) == int(np.isin(labels, (7, 2)).sum())
    assert stage.content_hash != train.content_hash and stage.mean == train.mean


def test_the_memory_is_the_union_with_the_classes_in_their_order():
    union = continual.joined([memory("ab"), memory("xyz")])
    assert union.class_names == tuple("abxyz")
    assert union.labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert union.images[:, 0, 0, 0].tolist() == [97, 98, 99, 100, 120, 121, 122, 123, 124, 125]
    assert union.ipc == 2


@pytest.mark.parametrize(
    "memories", [[], [memory("a"), memory("b", ipc=3)], [memory("a"), memory("b", mean=(0.1,))]], ids=str
)
def test_memories_of_different_kinds_are_refused(memories):
    with pytest.raises(ValueError, match="can be joined"):
        continual.joined(memories)


def by_loop(logits, labels, per_stage, own_classes):
    """Accuracy of each stage, one image at a time."""
    hits = {}
    for row, label in zip(logits.tolist(), labels.tolist(), strict=True):
        stage = label // per_stage
        rivals = range(stage * per_stage, (stage + 1) * per_stage) if own_classes else range(len(row))
        hits.setdefault(stage, []).append(max(rivals, key=row.__getitem__) == label)
    return [100 * sum(hits[stage]) / len(hits[stage]) for stage in sorted(hits)]


@pytest.mark.parametrize("own_classes", [False, True])
def test_stage_accuracies_count_images_one_by_one(own_classes):
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(6, (200,), generator=generator)
    logits = torch.randn(200, 6, generator=generator) + 0.8 * torch.nn.functional.one_hot(labels, 6)
    found = continual.stage_accuracies(logits, labels, 3, own_classes=own_classes)
    assert found.tolist() == pytest.approx(by_loop(logits, labels, 2, own_classes))


def test_knowing_the_stage_never_hurts():
    generator = torch.Generator().manual_seed(1)
    labels, logits = torch.randint(6, (100,), generator=generator), torch.randn(100, 6, generator=generator)
    told, untold = (continual.stage_accuracies(logits, labels, 3, own_classes=own) for own in (True, False))
    assert (told >= untold).all() and (told > untold).any()


@pytest.mark.parametrize(("logits", "num_stages"), [(torch.zeros(3, 5), 2), (torch.full((3, 4), torch.nan), 2)])
def test_impossible_logits_are_refused(logits, num_stages):
    with pytest.raises(ValueError, match="must be finite"):
        continual.stage_accuracies(logits, torch.tensor([0, 1, 2]), num_stages)


def test_curve_forgetting_and_backward_transfer_by_hand():
    counts = torch.tensor([10, 20, 30])
    # (10 * 90 + 20 * 70) / 30 and (10 * 60 + 20 * 75 + 30 * 100) / 60
    assert continual.seen_accuracy(MATRIX, counts).tolist() == pytest.approx([80, 2300 / 30, 5100 / 60])
    # after 2: 80 - 90; after 3: ((90 - 60) + (70 - 75)) / 2
    assert continual.forgetting(MATRIX).tolist() == pytest.approx([-10, 12.5])
    # ((60 - 80) + (75 - 70)) / 2
    assert continual.backward_transfer(MATRIX) == pytest.approx(-7.5)


def test_with_equal_counts_the_curve_is_the_mean_of_the_row():
    equal = continual.seen_accuracy(MATRIX, torch.tensor([7, 7, 7]))
    assert equal.tolist() == pytest.approx([np.nanmean(row) for row in MATRIX.numpy()])


def test_what_was_not_seen_is_not_read():
    filled = MATRIX.nan_to_num(1e6)
    counts = torch.tensor([1, 2, 3])
    assert continual.seen_accuracy(filled, counts).equal(continual.seen_accuracy(MATRIX, counts))
    assert continual.forgetting(filled).equal(continual.forgetting(MATRIX))
    assert continual.backward_transfer(filled) == continual.backward_transfer(MATRIX)


def test_one_stage_forgets_nothing_and_transfers_nothing():
    assert len(continual.forgetting(MATRIX[:1, :1])) == 0
    with pytest.raises(ValueError, match="needs two"):
        continual.backward_transfer(MATRIX[:1, :1])
