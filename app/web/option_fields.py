"""Options of attacks, ideal methods and explain methods as fields of requests, with their types, bounds and texts."""

import inspect
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, create_model

from app.web.fields import FRACTION, MAX_SEED, Options, empty_is_none, one_of, parse_fraction
from app.web.openapi_schemas import ONLY_FOR
from models.options import Option, described, merged, users_by_option


def option_fields(owners: Mapping[str, Mapping[str, Option]], *, in_form: bool) -> dict[str, Any]:
    """One optional field per option name, for `pydantic.create_model`; a field without a value means the default.

    `owners` maps the name of each attack or method to its options. `in_form` gives every field an empty example, since
    Swagger UI fills in a number of its own otherwise.
    """
    # Any, because pydantic.create_model takes its fields as keyword arguments of any kind.
    fields: dict[str, Any] = {}
    for name, users in users_by_option(owners).items():
        extra: dict[str, Any] = {"examples": [""]} if in_form else {}
        if len(users) < len(owners):
            extra["json_schema_extra"] = {ONLY_FOR: list(users)}
        fields[name] = _field(users, extra)
    return fields


class MethodOptions(Options):
    """Base of the requests that have options of attacks or methods; made by `method_options`."""

    option_names: ClassVar[frozenset[str]] = frozenset()
    """Names of these options; a subclass has further fields, such as the picture."""

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        """Raise TypeError if a further field has the name of an option, which it would replace."""
        for name in sorted(cls.option_names & inspect.get_annotations(cls).keys()):
            raise TypeError(
                f"{name} is a field of {cls.__name__} and also an option of an attack or method: rename the option"
            )

    def chosen_options(self) -> dict[str, Any]:
        """The options of attacks or methods to which the client gave a value, by name."""
        # Any, because each option has a type of its own and the function that takes them checks it.
        return self.model_dump(include=set(self.option_names), exclude_none=True)


def method_options(name: str, owners: Mapping[str, Mapping[str, Option]], *, in_form: bool) -> type[MethodOptions]:
    """A base class called `name` with the fields of `option_fields`, for the request model of one operation."""
    model: type[MethodOptions] = create_model(name, __base__=MethodOptions, **option_fields(owners, in_form=in_form))
    model.option_names = frozenset(model.model_fields)
    return model


def _field(users: Mapping[str, Option], extra: Mapping[str, Any]) -> Any:
    option = merged(users)
    if option.kind is int and option.most is not None:
        option = replace(option, most=min(option.most, MAX_SEED))
    field: Any = Field(default=None, description=described(users, option=option), **extra)
    return (Annotated[_type(option) | None, BeforeValidator(empty_is_none)], field)


def _type(option: Option) -> Any:
    """The option's type with its bounds or choices."""
    if option.kind is bool:
        return bool
    if option.kind is str:
        return Annotated[str, one_of(option.choices)]
    kind: Any = option.kind
    number: Any = Annotated[kind, Field(ge=option.least, le=option.most, allow_inf_nan=None if kind is int else False)]
    if not option.fraction:
        return number
    as_text = Annotated[str, Field(pattern=FRACTION, examples=["8/255"])]
    return Annotated[number, BeforeValidator(parse_fraction, json_schema_input_type=number | as_text)]
