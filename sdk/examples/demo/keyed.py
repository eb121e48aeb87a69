# SPDX-License-Identifier: Apache-2.0
"""An agent with a key of its own: the unmodified anthropic client, streaming through the gateway."""

import anthropic


def main() -> None:
    client = anthropic.Anthropic()
    with client.messages.stream(model="claude-sonnet-4-6", max_tokens=200,
                                messages=[{"role": "user", "content": "Please emit secret material."}]) as stream:
        print("reply: " + "".join(stream.text_stream))


if __name__ == "__main__":
    main()
