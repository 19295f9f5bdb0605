"""Class means of a teacher's embeddings: the file format here; `extract` makes them and is imported by those who do."""

from mmkd_ext.class_means.means import ClassMeans

__all__ = ['ClassMeans']
