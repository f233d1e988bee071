"""What attribution is good for, over a whole dataset: one folder for each application, found by the registry.

A folder holds `card` (options and prose), `work` (computes on the model; the only part that loads torch), `record`
(reads what was computed), `measures` (statistics of the record), `rules` (findings) and `chapter` (the report). The
package `core.applications.work` holds what several of them compute with.
"""
