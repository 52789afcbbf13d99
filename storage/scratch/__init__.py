"""Memory for state that may be larger than memory: arrays and Arrow batches in mapped files.

    mapping.py   a file without a name, and what of it is mapped
    resident.py  how much of the process, and of a mapping, is in memory
    space.py     ScratchSpace: who gets a mapping, and whose pages go when there are too many
    arrays.py    what keyed state asks for memory: ``enlarged``, ``zeros``, ``filled``, ``settled``

With a budget, the first half of it is ordinary memory. What is asked for beyond lies in files of a scratch directory,
mapped: it is read and written as before, by the same kernels, and pages that are not in use can be let go, for the
file has them. A thread lets go the pages of one mapping after the other when the process holds more than the budget;
those that are in use come back at once, the others when somebody wants them.

Keys are numbered as they come, so that what belongs to a key lies beside that of those which came at the same time,
and growing moves nothing: a longer stretch of the file is mapped, and both show the same.

What it promises: the process stays within its budget but for what passes (batches, results); without room in the
files what is asked for is ordinary memory again, and whose step it was is told (``take_refusal``). The files are never
read by recovery: they are gone with the process. There is one space a process, as there is one heap.

What it leaves out: systems other than Linux, whose pages cannot be let go like that.
"""
