# SPDX-License-Identifier: Apache-2.0
"""Shadow AI: an ordinary program that talks to a provider directly. Only the sensor sees it."""

import os
import time

import openai


def main() -> None:
    client = openai.OpenAI(base_url=os.environ["AISPM_DEMO_PROVIDER"] + "/v1", api_key="sk-not-checked-by-the-stand-in")
    for question in ("Summarise the quarterly figures.", "And in one word?"):
        answer = client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": question}])
        print(f"{question} -> {answer.choices[0].message.content}")
        time.sleep(0.2)


if __name__ == "__main__":
    main()
