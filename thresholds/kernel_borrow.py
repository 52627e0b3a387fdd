"""The state, lent to the functions of the kernel: one pointer to where its arrays lie.

A tuple of arrays that is handed from function to function is copied at each call, twelve arrays of seven words, and
numba counts every one of them up and down: that was most of the cost of a reading. What is lent is passed on as one
pointer, is not counted, and never changes while it is lent. The caller of an entry point keeps the arrays alive for as
long as it runs.
"""

from collections.abc import Callable
from typing import Any, cast

from llvmlite import ir
from numba import types
from numba.core import cgutils, config
from numba.core.datamodel import models
from numba.core.extending import intrinsic, lower_getattr_generic, register_model
from numba.core.typing.templates import AttributeTemplate
from numba.extending import infer_getattr

from thresholds.kernel_state import State


class _Lent(types.Type):
    """A state that is lent, as numba knows it."""

    def __init__(self, arrays: Any) -> None:
        self.arrays = arrays
        super().__init__(name=f"Lent({arrays})")


@register_model(_Lent)
class _LentModel(models.PrimitiveModel):
    def __init__(self, manager: Any, lent: _Lent) -> None:
        super().__init__(manager, lent, manager[lent.arrays].get_value_type().as_pointer())  # type: ignore[no-untyped-call]


@infer_getattr
class _LentArrays(AttributeTemplate):
    key = _Lent

    def generic_resolve(self, lent: _Lent, name: str) -> Any:  # type: ignore[override] # numba gives it no type
        return lent.arrays.types[lent.arrays.fields.index(name)] if name in lent.arrays.fields else None


@lower_getattr_generic(_Lent)
def _array(context: Any, builder: Any, lent: _Lent, value: Any, name: str) -> Any:
    place = lent.arrays.fields.index(name)
    at = cgutils.gep_inbounds(builder, value, 0, place)
    model = context.data_model_manager[lent.arrays.types[place]]
    kind = model.get_value_type()
    found = ir.Constant(kind, None)
    for number, field in enumerate(model._fields):
        if field not in ("meminfo", "parent"):
            part = builder.load(cgutils.gep_inbounds(builder, at, 0, number))
            part.set_metadata("invariant.load", builder.module.add_metadata([]))
            found = builder.insert_value(found, part, number)
    return found


@intrinsic
def _lend(_typing: Any, state: Any) -> Any:
    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        at = cgutils.alloca_once_value(builder, args[0])
        # Nothing in machine code: beyond it the compiler knows nothing but that what it points to never changes.
        seen = ir.InlineAsm(ir.FunctionType(at.type, [at.type]), "", "=r,0,~{memory}", side_effect=True)
        return builder.call(seen, [at])

    return _Lent(state)(state), codegen


def _itself(state: State) -> State:
    return state


lend: Callable[[State], State] = _itself if getattr(config, "DISABLE_JIT", False) else cast("Any", _lend)
"""`lend(state)`: lends it to what the calling function calls, until that returns."""
