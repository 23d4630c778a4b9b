// The types of data/methods.js, which dashboards/methods.py writes.

interface MethodEffect {
  line: number;
  /** The line of the entry without the method; null if there is no such entry. */
  reference: number | null;
  length: number;
  score: DiagnosticEstimate | null;
  reference_score: DiagnosticEstimate | null;
  /** The difference of the scores; positive is better. */
  gain: DiagnosticEstimate | null;
  /** Multiples of the reference's costs, in the order of `Methods.prices`. */
  prices: (DiagnosticEstimate | null)[];
}

interface ConditionScores {
  line: number;
  disturbance: string;
  length: number;
  /** The scores by strength; strength 0 is the score without disturbance. */
  points: ChartPoint[];
}

interface DataSizeScores {
  line: number;
  length: number;
  /** The scores by the share of the training examples. */
  points: ChartPoint[];
}

interface MethodComparison {
  comparison: number;
  reading: string;
  effects: MethodEffect[];
  conditions: ConditionScores[];
  sizes: DataSizeScores[];
  share: boolean;
}

interface Methods {
  prices: string[];
  comparisons: MethodComparison[];
}
