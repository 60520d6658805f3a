"""Why runs are shown beside a published number and not judged, or why there are none."""

NO_HARDWARE = "The paper names no hardware for its seconds, so ours stand beside them and are not judged."
HALF_OF_FIGURE_3 = (
    "Half of the configurations train the selecting network by Adam, at a learning rate that is not stated, nor is the "
    "fraction: ours are wins among the runs with SGD at our choice of fraction, shown and not judged."
)
NO_GAP_TERMS = (
    "Neither data set nor fraction is stated, so there is no run to compare with. `lcmat measure explanation "
    "DATASET` measures both terms for the coresets of our records."
)
OTHER_TINY_IMAGENET = (
    "The paper does not state the size of its TinyImageNet; ours has images of 32 pixels. Runs are shown, not judged."
)
QUOTED = "The paper quotes this number from the method's own publication; no experiment here runs the method."
FULL_CONDENSATION = (
    "The schedule of the training on all images is not stated; the condensation experiment has small sets only."
)
GUESSED_CONDENSATION = (
    "Numbers of steps, batch sizes, metric and ρ of the condensation and the epochs of the tested network are not "
    "stated and the code was never published: ours are guesses, so runs are shown and not judged."
)
GUESSED_REPLAY = (
    "The network, its schedule and the settings of the condensation are not stated: ours are guesses, so runs are "
    "shown and not judged."
)
