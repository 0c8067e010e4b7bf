"""The process in which foreign constructors run: `python -m autocal_cli.network.apart`, JSON lines in and out.

The first line in says where the networks come from, every other is a network to measure; `foreign_process` is the other
end. What a constructor prints goes nowhere; when the other end goes away, so does this process, whatever it is at.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any, TextIO

CHANNEL_ARGUMENTS = (
    *("in_chans", "num_in_ch", "in_nc", "in_ch", "in_channels"),
    *("img_channel", "inp_channels", "n_colors", "channels"),
)
COUNT_SECONDS = 8.0  # after which no further size is tried; foreign_process limits the whole


def main() -> None:
    jobs, replies = _channels()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the other end decides
    waiting: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_receive, args=(jobs, waiting), daemon=True).start()

    def reply(event: str, **facts: Any) -> None:
        replies.write(json.dumps({"event": event, **facts}) + "\n")
        replies.flush()

    from autocal_cli.network.apart_sources import open_source
    from autocal_cli.network.trainer_import import missing_packages, reason_of

    try:
        source = open_source(json.loads(waiting.get()), lambda part: reply("importing", part=part))
    except BaseException as error:
        reply("unusable", reason=reason_of(error), missing=sorted(missing_packages(error, "autocal_cli")))
        return
    reply("ready", types=source.types, unimported=source.unimported, missing=source.missing)
    while True:
        job = json.loads(waiting.get())
        try:
            measure(source, job, reply)
        except BaseException as error:
            reply("failed", reason=reason_of(error))


def measure(source: Any, job: Mapping[str, Any], reply: Callable[..., None]) -> None:
    """Answers `unknown`; `lacking`; or `signature`, `built`, then `counted` or `uncounted`.

    Raises what a constructor does.
    """
    from autocal_cli.network.construct import construct, on_cpu
    from autocal_cli.network.macs import Count, count_macs
    from autocal_cli.network.signature import describe
    from autocal_cli.network.structure import count_parameters, structure_hash

    target = source.find(job["type"])
    if target is None:
        reply("unknown")
        return
    described = describe(target.call)
    lacking = target.lacking(job["arguments"], described["accepted"])
    if lacking:
        reply("lacking", arguments=lacking, takes=target.names.takes(described["accepted"]))
        return
    arguments = target.arguments(job["arguments"], job["scale"])
    reply("signature", **described, scale=arguments.get(target.scale_argument))
    arguments = target.unshuffled(arguments)
    built = construct(target.call, arguments, described)
    network = built.network
    reply(
        "built",
        parameters=count_parameters(network),
        structure=structure_hash(network),
        device=built.device,
        rejected=built.rejected,
        swallowed=built.swallowed,
        inner=list(describe(type(network))["accepted"]),
    )
    given = {name: value for name, value in arguments.items() if name not in built.rejected}
    on_meta = network if built.device == "meta" else _moved(network)
    count = count_macs(on_meta, lambda: on_cpu(target.call, given), _channels_of(target.call, given), COUNT_SECONDS)
    if isinstance(count, Count):
        facts = {name: getattr(count, name) for name in Count.__dataclass_fields__}
        reply("counted", **facts)
    else:
        reply("uncounted", reason=count)


def _moved(network: Any) -> Any:
    from copy import deepcopy

    return deepcopy(network).to("meta")


def _channels_of(call: Callable[..., Any], arguments: Mapping[str, Any]) -> list[int]:
    """The channels of the input, as the arguments or their defaults say, then 3, then 1."""
    import inspect

    defaults = {name: parameter.default for name, parameter in inspect.signature(call).parameters.items()}
    said = [value for name in CHANNEL_ARGUMENTS if isinstance(value := arguments.get(name, defaults.get(name)), int)]
    return list(dict.fromkeys([*(value for value in said if 0 < value <= 64), 3, 1]))


def _channels() -> tuple[TextIO, TextIO]:
    """The two ends of the conversation, out of reach of what a constructor reads and prints."""
    jobs = os.fdopen(os.dup(0), encoding="utf-8")
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    return jobs, replies


def _receive(jobs: TextIO, waiting: queue.Queue[str]) -> None:
    for line in jobs:
        waiting.put(line)
    os._exit(0)


if __name__ == "__main__":
    sys.argv = sys.argv[:1]
    main()
