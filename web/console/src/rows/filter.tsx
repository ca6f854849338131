import type { DescField } from "@bufbuild/protobuf";
import { input } from "@stoa/ui";
import { say } from "../strings.js";
import { words } from "../values.js";
import css from "./rows.module.css";

interface Props {
  field: DescField;
  value: string;
  onChange: (value: string) => void;
}

/** Narrows a list by one of its fields. `/` leads to the first of them. */
export function Filter({ field, value, onChange }: Props) {
  const name = words(field.name);
  if (field.fieldKind === "enum") {
    const { values, sharedPrefix } = field.enum;
    return (
      <label className={css.filter}>
        {name}
        <select
          className={input}
          data-filter
          value={value}
          onChange={(event) => onChange(event.target.value)}
        >
          <option value="">{say.data.any}</option>
          {values
            .filter(({ number }) => number !== 0)
            .map((one) => (
              <option key={one.name} value={one.name}>
                {words(one.name, sharedPrefix)}
              </option>
            ))}
        </select>
      </label>
    );
  }
  // What is typed counts once it is left or entered: half of an identifier finds nothing.
  return (
    <label className={css.filter}>
      {name}
      <input
        key={value}
        className={input}
        data-filter
        defaultValue={value}
        placeholder={say.data.any}
        spellCheck={false}
        onBlur={(event) => event.target.value !== value && onChange(event.target.value.trim())}
        onKeyDown={(event) => event.key === "Enter" && event.currentTarget.blur()}
      />
    </label>
  );
}
