// Which messages of two versions belong together.

/** The longest common subsequence of two lists, as pairs of places. */
function common(before, after, isSame) {
  const lengths = Array.from({ length: before.length + 1 }, () => new Uint16Array(after.length + 1));
  for (let i = before.length - 1; i >= 0; i -= 1) {
    for (let j = after.length - 1; j >= 0; j -= 1) {
      lengths[i][j] = isSame(before[i], after[j])
        ? lengths[i + 1][j + 1] + 1
        : Math.max(lengths[i + 1][j], lengths[i][j + 1]);
    }
  }
  const pairs = [];
  let [i, j] = [0, 0];
  while (i < before.length && j < after.length) {
    if (isSame(before[i], after[j])) pairs.push([i++, j++]);
    else if (lengths[i + 1][j] >= lengths[i][j + 1]) i += 1;
    else j += 1;
  }
  return pairs;
}

const MESSAGE_PARTS = ["role", "content", "name", "tool_call_id", "tool_calls"];

export function sameMessage(one, other) {
  return MESSAGE_PARTS.every((part) => (one[part] ?? "") === (other[part] ?? ""));
}

/**
 * Pairs of places in order, null where a message has no counterpart: equal messages belong together, then those of
 * one role that lie between them.
 * @returns {[number | null, number | null][]}
 */
export function aligned(before, after) {
  const found = [];
  let [i, j] = [0, 0];
  for (const [a, b] of [...common(before, after, sameMessage), [before.length, after.length]]) {
    found.push(...between(before.slice(i, a), after.slice(j, b), i, j));
    if (a < before.length && b < after.length) found.push([a, b]);
    [i, j] = [a + 1, b + 1];
  }
  return found;
}

function between(before, after, i, j) {
  const found = [];
  let [m, n] = [0, 0];
  const isSame = (one, other) => one.role === other.role;
  for (const [a, b] of [...common(before, after, isSame), [before.length, after.length]]) {
    for (; m < a; m += 1) found.push([i + m, null]);
    for (; n < b; n += 1) found.push([null, j + n]);
    if (a < before.length && b < after.length) found.push([i + a, j + b]);
    [m, n] = [a + 1, b + 1];
  }
  return found;
}
