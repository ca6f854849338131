import { Button } from "@stoa/ui";
import { useQuery } from "@tanstack/react-query";

import { say } from "../strings.js";

/** A provider of another house that the node signs in with. */
export interface Other {
  /** What people call it. */
  name: string;
  /** The page of the node that leads there. */
  href: string;
}

/** What the node says of the providers that it signs in with: each service that knows some adds a question. */
const QUESTIONS: readonly (() => Promise<readonly Other[]>)[] = [];

/** A button for each of them; nothing where there is none. */
export function Others() {
  const { data = [] } = useQuery({
    queryKey: ["others"],
    queryFn: async () => (await Promise.all(QUESTIONS.map((ask) => ask()))).flat(),
    enabled: QUESTIONS.length > 0,
  });
  return data.map(({ name, href }) => (
    <Button key={href} onClick={() => location.assign(href)}>
      {say.door.signInWith(name)}
    </Button>
  ));
}
