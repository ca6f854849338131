/** What came of doing something to many things. */
export interface Outcome {
  done: number;
  all: number;
  /** What failed, one by one. */
  failed: { key: string; thrown: unknown }[];
}

/** How many are at work at once. */
const AT_ONCE = 4;

/** Does something to many things: all of them are tried, whatever becomes of the others. */
export async function toEach(
  keys: readonly string[],
  act: (key: string) => Promise<unknown>,
  told: (outcome: Outcome) => void,
): Promise<Outcome> {
  const left = [...keys];
  const outcome: Outcome = { done: 0, all: keys.length, failed: [] };
  const work = async () => {
    for (let key = left.shift(); key !== undefined; key = left.shift()) {
      try {
        await act(key);
        outcome.done++;
      } catch (thrown) {
        outcome.failed.push({ key, thrown });
      }
      told({ ...outcome, failed: [...outcome.failed] });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return outcome;
}
