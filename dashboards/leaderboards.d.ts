// The types of leaderboards, which suite/analysis/leaderboard_summary.py writes.

/** The best entry at one task and length of a benchmark. */
interface WinnerData extends Interval {
  task: string;
  length: number;
  /** The label of the benchmark whose runs of the task count ("core-1"). */
  benchmark: string;
  metric: string;
  line: string;
  /** The entries that are not separated from it, and the difference that would separate them. */
  tied: [line: string, detectable: number | null][];
  next: string | null;
  gap: number | null;
  detectable: number | null;
  /** The notes of the leader. */
  marks: string[];
}

/** The core table of one form of model. */
interface BlockData {
  form: string;
  tasks: string[];
  rows: {
    line: string;
    score: Interval | null;
    rank: number;
    /** The mean of the primary metric over lengths, in the order of `tasks`. */
    tasks: number[];
    /** The smallest and the largest number of weights without embedding and head. */
    parameters: [least: number, most: number] | null;
    /** For each of the block's `costs`, its multiple of `vanilla`'s at each of `cost_lengths`. */
    costs: (number | null)[][];
    /** The width of the range of good learning rates in decades. */
    rates: number | null;
    /** The notes of the entry. */
    marks: string[];
  }[];
  /** The titles of the relative costs; empty without probes. */
  costs: string[];
  cost_lengths: number[];
  /** The date and the machine of the costs, and how they vary between sessions. */
  cost_sessions: string;
  cost_spread: string;
  incomplete: [line: string, places: [task: string, length: number][]][];
  /** The places for which the benchmark states no reference score. */
  unscaled: [task: string, length: number][];
}

/** The search for the learning rate of one entry, from suite/analysis/learning_rates.py. */
interface RateSearch {
  task: string;
  title: string;
  sequence_length: number;
  data: string;
  entry: string;
  architecture: string;
  metric: string;
  higher_is_better: boolean;
  learning_rate: number;
  /** The mean validation score of the chosen rate in the last stage. */
  score: number | null;
  /** The width of the range of good rates in decades. */
  window: number | null;
  /** In final runs. */
  cost: number | null;
  num_trials: number;
  tried: { learning_rate: number; steps: number; validation: number | null; num_seeds: number }[];
}

/** The leaderboard of a ranked benchmark. */
interface LeaderboardData {
  label: string;
  summary: string;
  /** Sentences on the runs: their steps, those of earlier versions, and what is missing. */
  about_runs: string;
  machines: string[];
  latest: string;
  titles: Record<string, string>;
  winners: WinnerData[];
  blocks: BlockData[];
}
