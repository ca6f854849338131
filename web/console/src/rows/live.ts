import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { type InfiniteData, type QueryKey, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";

import type { Collection } from "../contracts/collections.js";
import type { Method } from "../contracts/load.js";
import { useKnown } from "../known.js";
import { follow } from "../node.js";

/** A page of a list. */
export interface Loaded {
  things: JsonObject[];
  /** What asks for the next one. */
  next: string;
}

/** Pages that are watched: what lies further below is as it was when it was loaded. */
export const PAGES_MAX = 5;

/** A page, by what asks for it and by how many come before it. */
export interface Place {
  token: string;
  nth: number;
}

interface Props {
  list: Method;
  request: (token: string, nth: number) => JsonObject;
  read: (json: JsonValue) => Loaded;
  queryKey: QueryKey;
  data: InfiniteData<Loaded> | undefined;
}

/** Keeps the pages that are loaded as the node has them; says whether it does. */
export function useLivePages({ list, request, read, queryKey, data }: Props): boolean {
  const { contracts } = useKnown();
  const queries = useQueryClient();
  const [isLive, setLive] = useState(false);
  const places = (data?.pageParams ?? []) as Place[];
  const tokens = places.slice(0, PAGES_MAX).map(({ token }) => token);
  const watched = JSON.stringify([list.service, list.name, tokens.map(request)]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: what is watched is told by its value
  useEffect(() => {
    const told = (nth: number, token: string, page: Loaded) => {
      queries.setQueryData<InfiniteData<Loaded, Place>>(queryKey, (data) => {
        if (data?.pageParams[nth]?.token !== token) return data;
        return { ...data, pages: data.pages.map((old, place) => (place === nth ? page : old)) };
      });
      // A page that ends elsewhere leaves a gap to the next one, or overlaps it.
      const following = tokens[nth + 1];
      if (following !== undefined && following !== page.next) {
        void queries.invalidateQueries({ queryKey });
      }
    };
    const leaves = tokens.map((token, nth) =>
      follow(contracts, list, request(token, nth), (json) => {
        setLive(json !== undefined);
        if (json !== undefined) told(nth, token, read(json));
      }),
    );
    return () => {
      for (const leave of leaves) leave();
    };
  }, [contracts, queries, watched]);
  return isLive;
}

/** One of a kind as the node has it, while it is looked at; none where there is no way to watch it. */
export function useLiveThing({ get, item }: Collection, id: string): JsonObject | undefined {
  const { contracts, may } = useKnown();
  const queries = useQueryClient();
  const [thing, setThing] = useState<JsonObject>();
  useEffect(() => {
    if (get === undefined || !may(get.method)) return;
    const { method, by } = get;
    const field = method.desc.output.fields.find(({ message }) => message === item);
    if (field === undefined) return;
    return follow(contracts, method, { [by.jsonName]: id }, (json) => {
      setThing((json as JsonObject | undefined)?.[field.jsonName] as JsonObject | undefined);
      // A commit made it what it is.
      void queries.invalidateQueries({ queryKey: ["history"] });
    });
  }, [contracts, queries, may, get, item, id]);
  return thing;
}
