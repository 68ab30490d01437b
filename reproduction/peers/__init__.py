"""Benchmarks of this kit beside other packages.

Run ``python -m reproduction.peers.NAME`` from the root of the clone; ``--help`` lists options.

- bench_busy: short fits beside busy processes, with several settings of threads that wait;
- bench_cifar10: encoders of photographs without labels, on a GPU;
- bench_contrastive: time and memory of contrastive losses;
- bench_generation: generators of several modalities, with multivae;
- bench_manifold: clustering without labels, with UMAP, spectral clustering and others;
- bench_masked: masked image modeling, with lightly's SimMIM and MAE, and ablations;
- bench_memory: growth of a memory and kills, with FAISS, hnswlib, usearch, LanceDB and Chroma;
- bench_multimodal: images and speech in one space, with open_clip, lightly and CCA;
- bench_mutual_information: errors of estimators on 39 tasks with known truths, with 20 estimators
  of other packages (`mutual_information_peers`, which runs in their own environments);
- bench_neighbors: nearest-neighbor estimates, with scikit-learn;
- bench_three_modalities: images, speech and captions, beside published numbers;
- bench_training: speed, memory, kills and damaged checkpoints of the training engine.

Other packages are imported only where they run. ``pip install -e ".[bench]"`` installs most.
"""
