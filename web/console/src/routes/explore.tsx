import type { JsonObject } from "@bufbuild/protobuf";
import { Empty } from "@stoa/ui";
import { getRouteApi } from "@tanstack/react-router";
import { useEffect } from "react";

import { methodOf } from "../contracts/load.js";
import { Call } from "../explore/call.js";
import css from "../explore/explore.module.css";
import { Methods } from "../explore/methods.js";
import { useKnown } from "../known.js";
import { say } from "../strings.js";

interface Props {
  service?: string;
  method?: string;
  fill?: JsonObject;
}

const method = getRouteApi("/explore/$service/$method");

export function ExploreIndex() {
  return <Explore />;
}

export function ExploreMethod() {
  return <Explore {...method.useParams()} {...method.useSearch()} />;
}

/** Every method, each with a form. */
function Explore({ service, method, fill }: Props) {
  const { contracts } = useKnown();
  const found = service && method ? methodOf(contracts, service, method) : undefined;
  useEffect(() => {
    document.title = `${method ?? say.frame.explore} · Stoa`;
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
            <h1>
              {method === undefined ? say.frame.explore : say.explore.missing(service, method)}
            </h1>
            <p className={css.doc}>{say.explore.about}</p>
          </header>
          <Empty>
            <p>{say.explore.kinds}</p>
          </Empty>
        </div>
      )}
    </div>
  );
}
