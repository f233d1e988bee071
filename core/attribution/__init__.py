"""The attribution methods: one file a method, one contract (`contract.Work`), one registry, one door (`explain`)."""
