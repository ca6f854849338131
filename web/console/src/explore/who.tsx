import type { JsonObject } from "@bufbuild/protobuf";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

import { type Method, mayCall, methodOf } from "../contracts/load.js";
import { useKnown } from "../known.js";
import { call } from "../node.js";
import { say } from "../strings.js";
import css from "./explore.module.css";

interface Role {
  name: string;
  permissions: string[];
}

/** The roles that grant what a method needs, for whoever may see roles. */
export function Who({ method }: { method: Method }) {
  const { contracts, may } = useKnown();
  const list = methodOf(contracts, "auth", "ListRoles");
  const isOpen = method.permission === "public" || method.permission === "authenticated";
  const { data } = useQuery({
    queryKey: ["roles"],
    queryFn: async () => {
      if (list === undefined) return [];
      const { json } = await call(contracts, list, { pageSize: 200 });
      return (json as JsonObject).roles as unknown as Role[];
    },
    enabled: !isOpen && list !== undefined && may(list),
  });
  const granting = data?.filter(({ permissions }) => mayCall(method, permissions)) ?? [];
  if (granting.length === 0) return null;
  return (
    <p className={css.who}>
      {say.explore.grantedBy}{" "}
      {granting.map(({ name }, place) => (
        <span key={name}>
          {place > 0 ? ", " : ""}
          <Link
            to="/people/{-$part}"
            params={{ part: "role-grants" }}
            search={{ filter: { role: name } }}
          >
            {name}
          </Link>
        </span>
      ))}
    </p>
  );
}
