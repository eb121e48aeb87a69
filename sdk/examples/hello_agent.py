# SPDX-License-Identifier: Apache-2.0
"""The smallest agent on the SDK: says that it is up, asks one question, logs the outcome.

    aispm-run --ro sdk/python --env PYTHONPATH=$PWD/sdk/python sdk/examples/hello_agent.py "What is the capital of France?"

Exit code: 0 with an answer, 3 when policy refuses, 1 for anything else that failed.
"""

import sys

import aispm


def main() -> int:
    question = " ".join(sys.argv[1:]) or "Say hello."
    try:
        aispm.ready("hello-agent", "1.0", framework="none")
        answer = aispm.llm.complete(question, model="gpt-4o-mini")
    except aispm.PolicyDenied as denied:
        print(f"refused: {denied} ({denied.code})", file=sys.stderr)
        aispm.log("refused", "warning", case=denied.case_id)
        return 3
    except aispm.AispmError as problem:
        print(f"failed: {problem}", file=sys.stderr)
        return 1
    print(answer.text)
    aispm.log("answered", finish_reason=answer.finish_reason, output_tokens=answer.usage.output_tokens)
    return 0


if __name__ == "__main__":
    sys.exit(main())
