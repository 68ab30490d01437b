"""Information maximization on the data manifold: unlabelled points sorted without a label.

    model = ManifoldInfoMax(10, augment="image", random_state=0)
    codes = model.fit_predict(images.reshape(len(images), -1))
    model.score(others)  # a lower bound, in nats, on what a code keeps along the manifold

The code of a point should tell the code of any point that it can move to on its manifold, and all
codes should be used: I(Y; X') is to be large. The parts stand alone: `neighbour_graph` makes the
manifold out of points, `graph_codes` the codes out of a graph, `information_bound` the objective of
a network out of its logits.
"""

from simmim_lite.manifold._codes import (
    code_information,
    exchange_codes,
    graph_codes,
    merge_codes,
    spectral_map,
)
from simmim_lite.manifold._dimension import intrinsic_dimension
from simmim_lite.manifold._distortion import distortion, image_neighbours, straightened
from simmim_lite.manifold._estimator import ManifoldInfoMax, Stage
from simmim_lite.manifold._gradients import oriented_gradients
from simmim_lite.manifold._neighbours import nearest_neighbours, neighbour_graph, weigh
from simmim_lite.manifold._objectives import (
    OBJECTIVES,
    iic,
    imsat,
    information_bound,
    rim,
    virtual_adversarial_step,
)

__all__ = [
    "OBJECTIVES",
    "ManifoldInfoMax",
    "Stage",
    "code_information",
    "distortion",
    "exchange_codes",
    "graph_codes",
    "iic",
    "image_neighbours",
    "imsat",
    "information_bound",
    "intrinsic_dimension",
    "merge_codes",
    "nearest_neighbours",
    "neighbour_graph",
    "oriented_gradients",
    "rim",
    "spectral_map",
    "straightened",
    "virtual_adversarial_step",
    "weigh",
]
