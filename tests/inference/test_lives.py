from napari_sam2.inference.lives import Lives


def test_a_life() -> None:
    lives = Lives()
    one = lives.begin(3)
    for frame, area in ((3, 90), (4, 100), (5, 0), (6, 40)):
        lives.seen(one, frame, area)
    life = lives.all[one]
    assert (life.first, life.last, life.age, life.missed) == (3, 6, 3, 0)
    assert life.area == 100
    for frame in range(7, 12):
        lives.seen(one, frame, 50)
    assert life.area == 50  # what was long ago is forgotten
    lives.seen(one, 12, 0)
    assert (life.last, life.missed) == (11, 1)


def test_numbers_are_never_used_again() -> None:
    lives = Lives()
    first = lives.begin(0)
    lives.end(first)
    assert lives.begin(1) == first + 1
    assert lives.living == {first + 1}


def test_lineage_and_names() -> None:
    lives = Lives()
    mother = lives.begin(0)
    lives.seen(mother, 0, 10)
    daughters = [lives.begin(1, mother) for _ in range(2)]
    lives.seen(daughters[0], 1, 5)
    assert lives.parents == dict.fromkeys(daughters, mother)
    assert lives.seen_ever == {1: "Object 1", 2: "Object 2, of 1"}
