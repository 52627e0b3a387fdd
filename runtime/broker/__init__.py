"""A private broker: one small interface, two children behind it."""

from runtime.broker.base import Accounts, Address, PrivateBroker
from runtime.broker.choose import choose_broker

__all__ = ["Accounts", "Address", "PrivateBroker", "choose_broker"]
