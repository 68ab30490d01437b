"""Information maximization on the data manifold: clusters without labels.

`ManifoldInfoMax` is a scikit-learn clusterer. The cluster of a point should predict the cluster of
any point close to it on the manifold, and clusters should have equal sizes: I(Y; X') should be
large. The parts can be used alone: `affinity_graph` turns nearest neighbors into a graph,
`graph_clusters` finds the clusters of a graph, `information_bound` is the objective of a network.

Examples:
    >>> from sklearn.datasets import make_moons
    >>> from sklearn.metrics import adjusted_rand_score
    >>> from simmim_lite.manifold import affinity_graph, cluster_information, graph_clusters
    >>> from simmim_lite.manifold import ManifoldInfoMax, nearest_neighbors
    >>> x, moon = make_moons(200, noise=0.05, random_state=0)
    >>> graph = affinity_graph(*nearest_neighbors(x))
    >>> labels = graph_clusters(graph, 2)
    >>> round(cluster_information(labels, graph), 2)  # in nats, at most ln 2 = 0.69
    0.69
    >>> model = ManifoldInfoMax(2, max_iter=100, random_state=0).fit(x)
    >>> adjusted_rand_score(moon, model.labels_) > 0.9  # 0 by chance, 1 if equal
    True
"""

from simmim_lite.manifold._clusters import (
    agglomerative_bottleneck as agglomerative_bottleneck,
    cluster_information as cluster_information,
    graph_clusters as graph_clusters,
    sequential_bottleneck as sequential_bottleneck,
    spectral_embedding as spectral_embedding,
)
from simmim_lite.manifold._estimator import ManifoldInfoMax as ManifoldInfoMax, Stage as Stage
from simmim_lite.manifold._neighbors import (
    affinity_graph as affinity_graph,
    deskew as deskew,
    image_distortion as image_distortion,
    image_neighbors as image_neighbors,
    intrinsic_dimension as intrinsic_dimension,
    nearest_neighbors as nearest_neighbors,
    oriented_gradients as oriented_gradients,
)
from simmim_lite.manifold._networks import (
    CLUSTERING_OBJECTIVES as CLUSTERING_OBJECTIVES,
    iic as iic,
    imsat as imsat,
    information_bound as information_bound,
    rim as rim,
    virtual_adversarial_step as virtual_adversarial_step,
)
