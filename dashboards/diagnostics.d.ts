// The types of data/diagnostics.js, which dashboards/diagnostics.py writes.

type DiagnosticEstimate = [value: number, low: number | null, high: number | null, n: number];
type ChartPoint = [place: string, ...DiagnosticEstimate];

/** The figures of an entry, or of an evaluation length in a chart by depth. */
interface ChartLine {
  name: string;
  line: number | null;
  points: ChartPoint[];
  /** Why the entry has no figure at some places. */
  reasons: Record<string, string>;
}

interface DiagnosticChart {
  title: string;
  /** A metric, or in a chart against the context the key of a cost. */
  measure: string;
  against:
    | "state_bytes"
    | "pairs"
    | "problem"
    | "evaluation_length"
    | "depth"
    | "context"
    | "sequence_length"
    | "strength"
    | "train_share";
  comparison: number;
  /** The training length; the longest one in a chart against it; 0 for decodings. */
  length: number;
  /** The score of a guess among the answers of an example, by place. */
  guesses: [string, number][];
  /** The entry of a chart by depth. */
  line: number | null;
  lines: ChartLine[];
  /** One sentence, made from the figures by rule; empty where they allow none. */
  reading: string;
  /** Whether the measure is a share, or a scaled accuracy. */
  share: boolean;
  /** What the intervals leave out, and the number of test examples; empty if there is no more. */
  note: string;
}

interface DiagnosticRow {
  line: number;
  length: number;
  /** The mean, without an interval where some seeds solve the task and others do not. */
  score: DiagnosticEstimate | null;
  /** The share of seeds that solve the task. */
  solved: DiagnosticEstimate | null;
  /** The median number of steps until solved; null if unknown, or if most seeds never solve it. */
  steps: number | null;
  never: boolean;
  /** The effective length as text; empty if no longer length was evaluated. */
  effective: string;
  /** The bytes of the decoding state; null if unknown. */
  state: number | null;
  note: string;
}

interface Diagnostics {
  sections: { title: string; command: string; charts: DiagnosticChart[] }[];
  tasks: { title: string; comparison: number; solved_at: number; rows: DiagnosticRow[] }[];
}
