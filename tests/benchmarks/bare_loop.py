"""The yardstick: an asyncio loop over the openai SDK that sends the same calls and stores nothing.

`python -m tests.benchmarks.bare_loop BASE_URL ROWS CONCURRENCY` prints the seconds it took.
"""

from __future__ import annotations

import asyncio
import sys
import time

import openai

from tests.benchmarks.paced_provider import API_KEY, MODEL
from tests.benchmarks.questions import question


async def run(base_url: str, rows: int, concurrency: int) -> float:
    client = openai.AsyncOpenAI(api_key=API_KEY, base_url=base_url, max_retries=0)
    numbers = iter(range(rows))

    async def work() -> None:
        for number in numbers:
            messages = [{"role": "user", "content": question(number)}]
            answer = await client.chat.completions.create(model=MODEL, messages=messages)  # type: ignore[arg-type,call-overload]
            assert answer.choices[0].message.content

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(concurrency)))
    took = time.perf_counter() - started
    await client.close()
    return took


if __name__ == "__main__":
    print(f"{asyncio.run(run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))):.3f}")
