"""What crosses between the eras, held promise by promise; see ``requirements``."""
