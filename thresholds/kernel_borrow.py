"""Arrays whose owner is the caller: nothing inside the kernel counts references to them.

A tuple of arrays is handed through all functions of the kernel, and numba counts every array in it up and down at each
call, with atomic instructions: that alone was most of the cost of a reading. An array without an owner is not counted.
The caller keeps the arrays alive for as long as an entry point runs.
"""

from typing import Any, TypeVar

from numba.core import cgutils
from numba.core.extending import intrinsic, overload
from numba.np.arrayobj import make_array

Array = TypeVar("Array")


def borrowed(array: Array) -> Array:
    """The same array, to be used while its owner keeps it."""
    return array


@intrinsic
def _without_owner(_typing: Any, array: Any) -> Any:
    def codegen(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        found = make_array(array)(context, builder, value=args[0])
        found.meminfo = cgutils.get_null_value(found.meminfo.type)
        found.parent = cgutils.get_null_value(found.parent.type)
        return found._getvalue()  # noqa: SLF001 - numba's own way to take a struct out of its proxy

    return array(array), codegen


@overload(borrowed)
def _borrowed(array: Any) -> Any:  # noqa: ARG001 - numba asks for the type and compiles what is returned
    def found(array: Any) -> Any:
        return _without_owner(array)  # type: ignore[call-arg] # numba gives the typing context

    return found
