(memory $shared 1 1 shared)
