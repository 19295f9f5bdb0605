"""A distillation config from a student, a teacher and the name of a method: inspect both, choose, write."""

from mmkd_ext.recipes.choose import choose, fitting
from mmkd_ext.recipes.kinds import KINDS
from mmkd_ext.recipes.look import Look, Record, look
from mmkd_ext.recipes.methods import METHODS
from mmkd_ext.recipes.recipe import MisfitError, Recipe
from mmkd_ext.recipes.text import Names, about, recipe_text, write

__all__ = [
    'KINDS',
    'METHODS',
    'Look',
    'MisfitError',
    'Names',
    'Recipe',
    'Record',
    'about',
    'choose',
    'fitting',
    'look',
    'recipe_text',
    'write',
]
