// The types of complete records, which suite/records/schema.py defines.

interface Curve {
  tokens: number[];
  values: number[];
}

interface Measurement {
  value: number | null;
  n: number;
  quartiles: number[] | null;
  method: string;
}

/** The reports of a split. A record of another version may hold another form under a name. */
interface Reports {
  confusion?: number[][];
  classes?: string[];
  /** How far exchanging each input moves each output, as bytes in base64, inputs by outputs. */
  occlusion?: { inputs: number[]; outputs: number[]; map: string };
  examples?: { input: string; expected: string; answer: string; right: boolean | number }[];
  /** Continuations of prompts; the method is the rule that chose the tokens. */
  samples?: { method: string; prompt: string; sample: string }[];
  [report: string]: unknown;
}

interface RunRecord {
  run_id: string;
  status: string;
  reason: string | null;
  started_at: string;
  worker_seconds: number | null;
  protocol: number;
  cell: {
    mode: string;
    form: string;
    task: string | null;
    seed: number;
    round: number;
    scores_test: boolean;
    architecture: string;
    sequence_length: number;
  };
  metrics: Record<string, Record<string, number>> | null;
  measurements: Record<string, Record<string, Measurement>> | null;
  curves: Record<string, Curve> | null;
  reports: Record<string, Reports>;
  details: { noisy?: string[]; [detail: string]: unknown };
  data: object | null;
  ranking: object | null;
  environment: { commit?: string | null; dirty?: boolean; [fact: string]: unknown };
  invocation: { command: string };
  error: object | null;
  log_tail: string | null;
}
