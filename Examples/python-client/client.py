#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Asks tandemd for text and prints it as it is made. Needs nothing but Python.

    client.py [--url http://127.0.0.1:8080] [--key KEY] [--max-tokens N] [--chat] PROMPT

The same with the `openai` package:

    client = openai.OpenAI(base_url=url + "/v1", api_key=key)
    for chunk in client.completions.create(model=name, prompt=prompt, stream=True):
        print(chunk.choices[0].text, end="", flush=True)
"""

import argparse
import json
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any


class Tandemd:
    """A daemon at an address."""

    def __init__(self, url: str, key: str | None) -> None:
        self.url = url.rstrip("/")
        self.headers = {"Content-Type": "application/json"}
        if key:
            self.headers["Authorization"] = f"Bearer {key}"

    def request(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Sends a request and returns the open answer."""
        data = None if body is None else json.dumps(body).encode()
        return urllib.request.urlopen(urllib.request.Request(self.url + path, data, self.headers), timeout=300)

    def first_model(self) -> str:
        """Name of the first model that the daemon serves."""
        with self.request("/v1/models") as answer:
            return json.load(answer)["data"][0]["id"]

    def events(self, path: str, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The events of a streamed answer. To stop reading cancels the generation."""
        with self.request(path, {**body, "stream": True}) as answer:
            for line in answer:
                if not line.startswith(b"data:"):
                    continue
                data = line[5:].strip()
                if data == b"[DONE]":
                    return
                event = json.loads(data)
                if "error" in event:
                    raise RuntimeError(event["error"]["message"])
                yield event


def pieces(daemon: Tandemd, prompt: str, chat: bool, options: dict[str, Any]) -> Iterator[str]:
    """The text in pieces: what goes on from a prompt, or the answer to a message."""
    if chat:
        body = {**options, "messages": [{"role": "user", "content": prompt}]}
        for event in daemon.events("/v1/chat/completions", body):
            for choice in event["choices"]:
                yield choice["delta"].get("content") or ""
    else:
        for event in daemon.events("/v1/completions", {**options, "prompt": prompt}):
            for choice in event["choices"]:
                yield choice["text"]


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(description="Asks tandemd for text.")
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--key", help="the API key, where the daemon wants one")
    parser.add_argument("--model", help="default: the first that the daemon serves")
    parser.add_argument("--max-tokens", type=int, default=100)
    parser.add_argument("--temperature", type=float, default=0.8)
    parser.add_argument("--chat", action="store_true", help="the prompt is a message of a conversation")
    parser.add_argument("prompt")
    arguments = parser.parse_args()
    daemon = Tandemd(arguments.url, arguments.key)
    try:
        options = {
            "model": arguments.model or daemon.first_model(),
            "max_tokens": arguments.max_tokens,
            "temperature": arguments.temperature,
        }
        for piece in pieces(daemon, arguments.prompt, arguments.chat, options):
            print(piece, end="", flush=True)
        print()
    except urllib.error.HTTPError as error:
        text = error.read().decode(errors="replace")
        try:
            text = json.loads(text)["error"]["message"]
        except (ValueError, KeyError, TypeError):
            pass
        print(f"client.py: {error.code}: {text}", file=sys.stderr)
        return 1
    except (OSError, RuntimeError) as error:
        print(f"client.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
