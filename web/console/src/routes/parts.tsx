import type { JsonObject } from "@bufbuild/protobuf";
import { Empty, links } from "@stoa/ui";
import { Link } from "@tanstack/react-router";

import type { Collection } from "../contracts/collections.js";
import { useKnown } from "../known.js";
import { Rows, type Shown } from "../rows/rows.js";
import { say } from "../strings.js";
import { words } from "../values.js";

/** The lists that a place is made of, by service and name. */
export type Lists = readonly (readonly [service: string, name: string])[];

/** Those of the lists that this node has. */
export function useLists(lists: Lists): Collection[] {
  const { collections } = useKnown();
  return lists.flatMap(([service, name]) =>
    collections.filter((one) => one.service === service && one.name === name),
  );
}

interface PartsProps {
  place: "operate" | "people";
  parts: string[];
  current: string;
}

/** Links to the parts of a place. */
export function Parts({ place, parts, current }: PartsProps) {
  return parts.map((part) => (
    <Link
      key={part}
      to={place === "operate" ? "/operate/{-$part}" : "/people/{-$part}"}
      params={{ part }}
      aria-current={part === current ? "page" : undefined}
      className={links.tab}
    >
      {capital(words(part.replaceAll("-", "_")))}
    </Link>
  ));
}

interface Props {
  lists: Collection[];
  part: string;
  shown: Shown;
  onShow: (shown: Shown) => void;
  onOpen?: ((thing: JsonObject) => void) | undefined;
}

/** One of them. */
export function Part({ lists, part, ...rest }: Props) {
  const found = lists.find(({ name }) => name === part);
  if (found === undefined) return <Empty>{say.frame.nothingOfThatName}</Empty>;
  return <Rows key={part} collection={found} {...rest} />;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
