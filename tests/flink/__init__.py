"""The jobs on a Flink cluster, and on Prism, against the same in this process."""
