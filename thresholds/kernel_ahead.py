"""Asking for memory before it is used: the processor fetches it while other readings are decided.

Readings come in any order, so at a million feeds every one of them waits for memory, each wait longer than all of its
work. Asked for a few dozen readings ahead, the lines of many feeds come at once.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.extending import intrinsic, overload
from numba.np.arrayobj import make_array

from thresholds.kernel_state import LINE

_BIT = ir.IntType(32)
_FOR_WRITING, _SOON, _DATA = 1, 3, 1


def ask(array: Any, index: int, line: int = 0) -> None:
    """Let the cache line in which a row of a contiguous array begins come, or a `line` after it; changes nothing."""


@intrinsic
def _asked(_typing: Any, array: Any, index: Any, line: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        rows = make_array(array)(context, builder, value=args[0])
        number = context.cast(builder, args[1], signature.args[1], types.intp)
        behind = context.cast(builder, args[2], signature.args[2], types.intp)
        offset = builder.add(builder.mul(number, rows.itemsize), builder.mul(behind, ir.Constant(behind.type, LINE)))
        line = cgutils.pointer_add(builder, rows.data, offset, cgutils.voidptr_t)
        kind = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, _BIT, _BIT, _BIT])
        prefetch = builder.module.declare_intrinsic("llvm.prefetch", [cgutils.voidptr_t], kind)
        builder.call(prefetch, [line, *(_BIT(word) for word in (_FOR_WRITING, _SOON, _DATA))])
        return context.get_dummy_value()

    return types.void(array, index, line), codegen


@overload(ask)
def _ask(array: Any, index: Any, line: Any = 0) -> Any:  # noqa: ARG001 - numba asks for the types
    def found(array: Any, index: Any, line: Any = 0) -> None:
        _asked(array, index, line)  # type: ignore[call-arg] # numba gives the typing context

    return found
