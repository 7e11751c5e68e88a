"""Protocol Buffers messages described at run time: only the fields that are read, without the tools that write them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

#: Field name -> (number, type). A type is a scalar's name or another message's; "*" behind it says "any number of".
Fields = Mapping[str, tuple[int, str]]
_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "double": _Field.TYPE_DOUBLE, "float": _Field.TYPE_FLOAT, "int64": _Field.TYPE_INT64, "int32": _Field.TYPE_INT32,
    "sint64": _Field.TYPE_SINT64, "bool": _Field.TYPE_BOOL, "bytes": _Field.TYPE_BYTES, "enum": _Field.TYPE_INT32,
}  # fmt: skip
#: What parsing damaged bytes raises.
BROKEN_MESSAGE = (DecodeError,)


def message_types(package: str, messages: Mapping[str, Fields]) -> dict[str, Any]:
    """Build message classes; texts are ``bytes``, since a damaged file may hold any.

    Parameters
    ----------
    package : str
        Any name of one's own.
    messages : mapping of str to Fields
        By message name.
    """
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto2")
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            _add_field(message, package, field, number, kind)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}")) for name in messages}


def _add_field(message: descriptor_pb2.DescriptorProto, package: str, name: str, number: int, kind: str) -> None:
    repeated, kind = kind.endswith("*"), kind.removesuffix("*")
    field = message.field.add(
        name=name, number=number, label=_Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL
    )
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
    else:
        field.type, field.type_name = _Field.TYPE_MESSAGE, f".{package}.{kind}"
