#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""json-schema.py [--strict] FOLDER <LINES

Each line is the name of a schema in FOLDER, a space, and JSON that should be as
it describes. Prints a line for each: "good NAME" or "bad NAME: why". With
--strict, the schema must also refuse what differs from the JSON by one key more
or less, or by an array in place of one value.
"""
import copy
import json
import pathlib
import sys

import jsonschema


def places(value, path=()):
    """Every value inside of VALUE, as its path."""
    if path:
        yield path
    if isinstance(value, dict):
        for key in value:
            yield from places(value[key], path + (key,))
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from places(member, path + (index,))


def at(value, path):
    for step in path:
        value = value[step]
    return value


def distortions(value):
    """Copies of VALUE that are wrong, and what is wrong with them."""
    for path in [()] + list(places(value)):
        place = at(value, path)
        if isinstance(place, dict):
            copied = copy.deepcopy(value)
            at(copied, path)["no-such-key"] = 0
            yield f"a key too many at {list(path)}", copied
        elif not isinstance(place, list):
            copied = copy.deepcopy(value)
            at(copied, path[:-1])[path[-1]] = [place]
            yield f"an array at {list(path)}", copied
        if path and isinstance(path[-1], str):
            copied = copy.deepcopy(value)
            del at(copied, path[:-1])[path[-1]]
            yield f"nothing at {list(path)}", copied


def judge(validator, text, strict):
    value = json.loads(text)
    for error in validator.iter_errors(value):
        return f"{list(error.absolute_path)}: {error.message}"
    if strict:
        for what, distorted in distortions(value):
            if validator.is_valid(distorted):
                return f"the schema lets pass: {what}"
    return None


def main():
    strict = sys.argv[1] == "--strict"
    folder = pathlib.Path(sys.argv[-1])
    validators = {}
    for path in folder.glob("*.json"):
        schema = json.loads(path.read_text(encoding="utf-8"))
        jsonschema.Draft202012Validator.check_schema(schema)
        validators[path.stem] = jsonschema.Draft202012Validator(schema)
    for line in sys.stdin:
        name, text = line.split(" ", 1)
        problem = "there is no such schema"
        if name in validators:
            problem = judge(validators[name], text, strict)
        print(f"bad {name}: {problem}" if problem else f"good {name}")


main()
