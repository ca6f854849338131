import type { JsonObject } from "@bufbuild/protobuf";
import { Empty } from "@stoa/ui";
import { useEffect } from "react";

import { methodOf } from "../contracts/load.js";
import { Call } from "../explore/call.js";
import css from "../explore/explore.module.css";
import { Methods } from "../explore/methods.js";
import { useKnown } from "../known.js";

interface Props {
  service?: string;
  method?: string;
  fill?: JsonObject;
}

/** Every method, each with a form. */
export function ExplorePage({ service, method, fill }: Props) {
  const { contracts } = useKnown();
  const found = service && method ? methodOf(contracts, service, method) : undefined;
  useEffect(() => {
    document.title = `${method ?? "Explore"} · Stoa`;
  }, [method]);
  return (
    <div className={css.split} data-picked={method === undefined ? undefined : ""}>
      <Methods />
      {found ? (
        <Call
          key={`${service}/${method} ${JSON.stringify(fill)}`}
          method={found}
          fill={fill ?? {}}
        />
      ) : (
        <div className={css.work}>
          <header className={css.head}>
            <h1>{method === undefined ? "Explore" : `There is no ${service} / ${method}`}</h1>
            <p className={css.doc}>
              Every method of every service, as its contract describes it. Choose one to fill in
              what it is asked, call it, and see what comes of it.
            </p>
          </header>
          <Empty>
            <p>
              Q is a query and changes nothing, C a command, E an effect that talks to the outside.
            </p>
          </Empty>
        </div>
      )}
    </div>
  );
}
