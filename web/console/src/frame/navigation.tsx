import { Link, useRouterState } from "@tanstack/react-router";
import { Activity, Database, House, TerminalSquare, Users } from "lucide-react";

import { useKnown } from "../known.js";
import { entries } from "../pages/index.js";
import { say } from "../strings.js";
import css from "./frame.module.css";

const ICON = { size: 16, "aria-hidden": true } as const;

/** Five places, and below them what there is to look at where somebody looks at data. */
export function Navigation() {
  const path = useRouterState({ select: ({ location }) => location.pathname });
  return (
    <>
      <ul>
        <li>
          <Link to="/" className={css.place ?? ""} activeOptions={{ exact: true }}>
            <House {...ICON} /> {say.frame.home}
          </Link>
        </li>
        <li>
          <Link to="/explore" className={css.place ?? ""}>
            <TerminalSquare {...ICON} /> {say.frame.explore}
          </Link>
        </li>
        <li>
          <Link to="/data" className={css.place ?? ""} activeOptions={{ exact: true }}>
            <Database {...ICON} /> {say.frame.data}
          </Link>
        </li>
        <li>
          <Link to="/operate/{-$part}" params={{}} className={css.place ?? ""}>
            <Activity {...ICON} /> {say.frame.operate}
          </Link>
        </li>
        <li>
          <Link to="/people/{-$part}" params={{}} className={css.place ?? ""}>
            <Users {...ICON} /> {say.frame.people}
          </Link>
        </li>
      </ul>
      {path.startsWith("/data") ? <Collections /> : null}
    </>
  );
}

function Collections() {
  const known = useKnown();
  const all = entries(known);
  const services = [...new Set(all.map(({ service }) => service))];
  return (
    <div className={css.kinds}>
      {services.map((service) => (
        <div key={service}>
          <p className={css.group}>{service}</p>
          {all
            .filter((entry) => entry.service === service)
            .map(({ name, title }) => (
              <Link
                key={name}
                className={css.part ?? ""}
                to="/data/$service/$name"
                params={{ service, name }}
                activeOptions={{ includeSearch: false }}
              >
                {title}
              </Link>
            ))}
        </div>
      ))}
    </div>
  );
}
