import type { DescField, DescMessage, DescOneof, JsonObject, JsonValue } from "@bufbuild/protobuf";
import { Field } from "@stoa/ui";
import { useState } from "react";

import { rulesOf } from "../contracts/rules.js";
import { useKnown } from "../known.js";
import { Prose } from "../prose.js";
import { say } from "../strings.js";
import { words } from "../values.js";
import { Control, hasControl } from "./control.js";
import css from "./form.module.css";
import { Items, Pairs } from "./many.js";

/** What is wrong, by the path of the field. */
export type Errors = ReadonlyMap<string, string>;

export interface Of {
  value: JsonObject;
  onChange: (value: JsonObject) => void;
  /** Where the message is: `legs[0]`; empty for a request itself. */
  path: string;
  errors: Errors;
}

/** A form for a message, made of its contract. */
export function MessageForm({ desc, ...of }: Of & { desc: DescMessage }) {
  return (
    <div className={css.fields}>
      {desc.members.map((member) =>
        member.kind === "oneof" ? (
          <Choice key={member.name} oneof={member} {...of} />
        ) : (
          <FieldForm key={member.name} field={member} {...of} />
        ),
      )}
    </div>
  );
}

/** One of several fields. */
function Choice({ oneof, ...of }: Of & { oneof: DescOneof }) {
  const filled = oneof.fields.find((field) => of.value[field.jsonName] !== undefined);
  const [picked, pick] = useState(filled?.name ?? "");
  const field = oneof.fields.find((field) => field.name === picked);
  const choose = (name: string) => {
    const others = oneof.fields.map((field) => [field.jsonName, undefined]);
    of.onChange(tidy({ ...of.value, ...Object.fromEntries(others) }));
    pick(name);
  };
  return (
    <div className={css.group}>
      <Field label={oneof.name} isName rule={say.form.oneOf}>
        {(ties) => (
          <select {...ties} value={picked} onChange={(event) => choose(event.target.value)}>
            <option value="">–</option>
            {oneof.fields.map((field) => (
              <option key={field.name} value={field.name}>
                {words(field.name)}
              </option>
            ))}
          </select>
        )}
      </Field>
      {field ? <FieldForm field={field} {...of} /> : null}
    </div>
  );
}

/** A field of a message. */
export function FieldForm({ field, ...of }: Of & { field: DescField }) {
  const { contracts } = useKnown();
  const rules = rulesOf(contracts, field);
  const path = of.path === "" ? field.name : `${of.path}.${field.name}`;
  const value = of.value[field.jsonName];
  const onChange = (next: JsonValue | undefined) =>
    of.onChange(tidy({ ...of.value, [field.jsonName]: next }));
  const comment = contracts.comment(field);
  const help = comment === "" ? undefined : <Prose text={comment} />;
  const error = of.errors.get(path) ?? rules.check(value);
  if (hasControl(field)) {
    const rule = [rules.isRequired ? say.form.required : "", rules.text].filter(Boolean).join(", ");
    return (
      <Field label={field.name} isName rule={rule} help={help} error={error}>
        {(ties) => (
          <Control field={field} value={value} onChange={onChange} ties={ties} of={of.value} />
        )}
      </Field>
    );
  }
  return (
    <fieldset>
      <legend className={css.legend}>{field.name}</legend>
      {help ? <p className={css.help}>{help}</p> : null}
      {error ? <p className={css.help}>{error}</p> : null}
      <Parts field={field} value={value} onChange={onChange} path={path} errors={of.errors} />
    </fieldset>
  );
}

export interface PartsOf {
  field: DescField;
  value: JsonValue | undefined;
  onChange: (value: JsonValue | undefined) => void;
  path: string;
  errors: Errors;
}

function Parts(props: PartsOf) {
  const { field, value, onChange, path, errors } = props;
  if (field.fieldKind === "map") return <Pairs {...props} />;
  if (field.fieldKind === "list") return <Items {...props} />;
  if (field.fieldKind !== "message") return null;
  return (
    <div className={css.group}>
      <MessageForm
        desc={field.message}
        value={(value ?? {}) as JsonObject}
        onChange={(next) => onChange(Object.keys(next).length === 0 ? undefined : next)}
        path={path}
        errors={errors}
      />
    </div>
  );
}

/** Without what is not there: what is not sent is not said. */
function tidy(value: { [name: string]: JsonValue | undefined }): JsonObject {
  const said = Object.entries(value).filter(([, part]) => part !== undefined && part !== "");
  return Object.fromEntries(said) as JsonObject;
}
