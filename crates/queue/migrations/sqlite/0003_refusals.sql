-- Models that were not taken into service, as the images that people named don't speak for them.
CREATE TABLE refusals (
    model TEXT NOT NULL,
    version TEXT NOT NULL,
    why TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (model, version)
);
