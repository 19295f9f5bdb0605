"""Studies: grids of runs over seeds, each trained, exported, tested by its toolbox, and compared in pairs."""
