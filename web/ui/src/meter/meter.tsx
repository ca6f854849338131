import css from "./meter.module.css";

interface Props {
  /** What is measured, for whoever hears it. */
  label: string;
  value: number;
  max: number;
  /** What the value means. */
  word: string;
}

/** How much of a few steps there is: told by a word, and by how many are filled. */
export function Meter({ label, value, max, word }: Props) {
  const mood = value * 2 < max ? css.bad : value < max ? css.warn : css.good;
  const steps = Array.from({ length: max }, (_, step) => step);
  return (
    <div className={css.meter}>
      {/* biome-ignore lint/a11y/useSemanticElements: no style reaches the steps of one in all browsers */}
      <div
        className={[css.bar, mood].join(" ")}
        role="meter"
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={max}
        aria-valuenow={value}
        aria-valuetext={word}
      >
        {steps.map((step) => (
          <span key={step} className={step < value ? css.on : css.off} />
        ))}
      </div>
      <span className={css.word}>{word}</span>
    </div>
  );
}
