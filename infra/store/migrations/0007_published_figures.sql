-- The keys of the figures that were ever published, so that one which is gone can be removed from the
-- topic. A key is saved before its figure is sent.
CREATE TABLE views.published_figures (
    partnership text COLLATE "C" NOT NULL,
    period text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    PRIMARY KEY (partnership, period, key)
);

GRANT SELECT ON views.published_figures TO accord_writer, accord_views, accord_reader;
GRANT INSERT ON views.published_figures TO accord_views;
