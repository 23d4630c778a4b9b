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

interface Example {
  input: string;
  expected: string;
  answer: string;
  right: boolean | number;
}

/** A continuation of a prompt; the method is the rule that chose its tokens. */
interface Sample {
  method: string;
  prompt: string;
  sample: string;
}

/** How far exchanging each input moves each output, as bytes in base64, inputs by outputs. */
interface Occlusion {
  inputs: number[];
  outputs: number[];
  map: string;
}

/** The reports of a split. A record of another version may hold another form under a name. */
interface Reports {
  by_type?: Record<string, Record<string, number>>;
  without_part?: Record<string, (number | null)[]>;
  confusion?: number[][];
  classes?: string[];
  occlusion?: Occlusion;
  examples?: Example[];
  samples?: Sample[];
  [report: string]: unknown;
}

interface RunCell {
  mode: string;
  form: string;
  task: string | null;
  source: string | null;
  seed: number;
  round: number;
  steps: number;
  benchmark: string | null;
  scores_test: boolean;
  architecture: string;
  sequence_length: number;
  evaluation_lengths?: number[];
  batch_size: number;
  model_size: string;
  precision: string;
  backend: string;
  threads: number;
  options: Record<string, unknown>;
}

interface RunRecord {
  run_id: string;
  status: string;
  reason: string | null;
  started_at: string;
  worker_seconds: number | null;
  protocol: number;
  cell: RunCell;
  parameter_count: number | null;
  metrics: Record<string, Record<string, number>> | null;
  measurements: Record<string, Record<string, Measurement>> | null;
  curves: Record<string, Curve> | null;
  reports: Record<string, Reports>;
  details: { recipe?: { learning_rate?: number }; noisy?: string[]; [detail: string]: unknown };
  data: object | null;
  ranking: object | null;
  environment: { commit?: string | null; dirty?: boolean; [fact: string]: unknown };
  invocation: { command: string };
  error: object | null;
  log_tail: string | null;
}
