"""From a distillation run to a plain student of the host toolbox."""
