/** The few words that parts say themselves, whatever they show. */
export const say = {
  close: "Close",
  copy: "Copy",
  copied: "Copied",
  loading: "Loading",
  pickAll: "Pick all rows",
  pick: (row: number) => `Pick row ${row}`,
  retry: "Try again",
  width: (column: string) => `Width of ${column}`,
};
