"""Information maximization on the data manifold: unlabeled points sorted without a label.

    model = ManifoldInfoMax(10, augment="image", random_state=0)
    codes = model.fit_predict(images.reshape(len(images), -1))
    model.score(others)  # a lower bound, in nats, on what a code keeps along the manifold

The code of a point should tell the code of any point that it can move to on its manifold, and all
codes should be used: I(Y; X') is to be large. The parts stand alone: `neighbor_graph` makes the
manifold out of points, `graph_clusters` the codes out of a graph, `information_bound` the objective
of a network out of its logits.
"""

from simmim_lite.manifold._codes import (
    agglomerative_bottleneck as agglomerative_bottleneck,
    cluster_information as cluster_information,
    graph_clusters as graph_clusters,
    sequential_bottleneck as sequential_bottleneck,
    spectral_embedding as spectral_embedding,
)
from simmim_lite.manifold._dimension import intrinsic_dimension as intrinsic_dimension
from simmim_lite.manifold._distortion import (
    deskew as deskew,
    image_distortion as image_distortion,
    image_neighbors as image_neighbors,
)
from simmim_lite.manifold._estimator import ManifoldInfoMax as ManifoldInfoMax, Stage as Stage
from simmim_lite.manifold._gradients import oriented_gradients as oriented_gradients
from simmim_lite.manifold._neighbors import (
    affinity_graph as affinity_graph,
    nearest_neighbors as nearest_neighbors,
    neighbor_graph as neighbor_graph,
)
from simmim_lite.manifold._objectives import (
    CLUSTERING_OBJECTIVES as CLUSTERING_OBJECTIVES,
    iic as iic,
    imsat as imsat,
    information_bound as information_bound,
    rim as rim,
    virtual_adversarial_step as virtual_adversarial_step,
)
