import type { DescField } from "@bufbuild/protobuf";
import { useQuery } from "@tanstack/react-query";
import { createContext, type ReactNode, useContext } from "react";

import {
  type Collection,
  collections,
  kinds,
  prefixes,
  references,
} from "./contracts/collections.js";
import { type Contracts, load, type Method, mayCall, methodOf } from "./contracts/load.js";
import { call, descriptors, isSignedIn, SignedOut } from "./node.js";
import { say } from "./strings.js";

/** What a page knows: the contracts of the node, and who looks at it. */
export interface Known {
  contracts: Contracts;
  collections: Collection[];
  byPrefix: Map<string, Collection>;
  /** Lists by the type of the resource: `users.user`. */
  byKind: Map<string, Collection>;
  /** What the identifier in a field is one of. */
  named: (field: DescField) => Collection | undefined;
  /** Whoever is signed in. */
  userId: string;
  permissions: string[];
  may: (method: Method) => boolean;
}

const Context = createContext<Known | undefined>(undefined);

export function useKnown(): Known {
  const known = useContext(Context);
  if (known === undefined) throw new Error("nobody is signed in here");
  return known;
}

interface Props {
  children: ReactNode;
  waiting: ReactNode;
  failed: (error: Error, retry: () => void) => ReactNode;
}

/** Learns what there is and who asks, once. */
export function Knowing({ children, waiting, failed }: Props) {
  const { data, error, refetch } = useQuery({
    queryKey: ["known"],
    queryFn: learn,
    staleTime: Number.POSITIVE_INFINITY,
  });
  if (error !== null) return failed(error, () => void refetch());
  if (data === undefined) return waiting;
  return <Context.Provider value={data}>{children}</Context.Provider>;
}

async function learn(): Promise<Known> {
  if (!(await isSignedIn())) throw new SignedOut();
  const contracts = load(await descriptors());
  const all = collections(contracts);
  const byKind = kinds(all);
  const whoAmI = methodOf(contracts, "auth", "WhoAmI");
  if (whoAmI === undefined) throw new Error(say.failures.withoutAuth);
  const { userId, permissions } = (await call(contracts, whoAmI, {})).json as unknown as Known;
  return {
    contracts,
    collections: all,
    byPrefix: prefixes(contracts, all),
    byKind,
    named: references(contracts, byKind),
    userId,
    permissions,
    may: (method) => mayCall(method, permissions),
  };
}
